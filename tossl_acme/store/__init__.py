"""Where accounts and certificates are kept; knows neither: texts have names, and one caller at a time holds a set."""
