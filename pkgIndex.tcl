# The prefix of Tossl_Init, as Tcl 8.6 and 9 both take it.
package ifneeded tossl 0.1.0 [list load [file join $dir libtossl.so] Tossl]
package ifneeded tossl::acme 0.1.0 [list load [file join $dir libtossl.so] Tosslacme]
