EXTRA_DIST += contrib/check contrib/lib/packages.sh contrib/lib/build.sh
