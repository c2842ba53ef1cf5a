dist_man_MANS += man/mailfs.1 man/mailfsctl.1 man/mailfs-sendmail.1 man/mailfs.conf.5 man/mailfs-tree.7
