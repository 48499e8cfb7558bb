"""Storage for accounts and certificates. Knows neither: it has named texts in folders that one caller locks."""
