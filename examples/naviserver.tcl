# naviserver.tcl: the configuration of a NaviServer (4.99.22 or later) with two virtual servers that get and keep their
# certificates themselves:
#
#     /usr/local/ns/bin/nsd -f -u nsadmin -t naviserver.tcl
#
# Port 80 of every name must reach http_port. A setting of the environment comes first: ns_http_port=8080 nsd ...

foreach {name value} {
    home        /usr/local/ns
    address     0.0.0.0
    http_port   80
    https_port  443
    main_names  {example.com www.example.com}
    shop_names  {shop.example.com}
    directory   letsencrypt
    email       webmaster@example.com
    options     {}
} {
    set $name [expr {[info exists ::env(ns_$name)] ? $::env(ns_$name) : $value}]
}
# The user that NaviServer runs as writes here, and nobody else reads.
set certificates $home/tossl
file mkdir $certificates

package require tossl

ns_section ns/parameters {
    ns_param home $home
}
ns_section ns/servers {
    ns_param main "Main site"
    ns_param shop "Shop"
}
foreach server {main shop} {
    ns_section ns/server/$server/fastpath {
        ns_param pagedir $home/pages/$server
    }
}

ns_section ns/modules {
    ns_param http  nssock
    ns_param https nsssl
}
foreach {driver port} [list http $http_port https $https_port] {
    ns_section ns/module/$driver {
        ns_param address       $address
        ns_param port          $port
        ns_param defaultserver main
    }
    ns_section ns/module/$driver/servers {
        foreach name $main_names {
            ns_param main $name
        }
        foreach name $shop_names {
            ns_param shop $name
        }
    }
}
# Each server shows its own certificate.
ns_section ns/module/https {
    ns_param certificate $certificates/main.pem
}
ns_section ns/server/shop/module/https {
    ns_param certificate $certificates/shop.pem
}

# At the end of the configuration: makes these files, answers the CA, and has nsssl take up each renewed certificate.
tossl::naviserver::init [dict create \
    main [list domains $main_names -pem_file $certificates/main.pem] \
    shop [list domains $shop_names -pem_file $certificates/shop.pem] \
] -directory $directory -email $email -store $certificates/store {*}$options
