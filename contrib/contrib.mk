EXTRA_DIST += contrib/check contrib/demo contrib/lib/packages.sh contrib/lib/build.sh contrib/lib/demo.py contrib/lib/demo_servers.py
dist_bin_SCRIPTS = contrib/mailfs-sendmail
