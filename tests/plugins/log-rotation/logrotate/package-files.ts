/** Files as packages bring them along: own texts in the shapes that are met on hosts. */
export const FILES: Record<string, string> = {
  'a system logger': `/var/log/messages
/var/log/auth.log
/var/log/cron.log
{
	rotate 4
	weekly
	missingok
	notifempty
	compress
	delaycompress
	sharedscripts
	postrotate
		/usr/lib/logger/reopen >/dev/null 2>&1 || true
	endscript
}
`,
  'a web server': `/var/log/web/*.log {
  daily
  missingok
  rotate 14
  compress
  delaycompress
  notifempty
  create 0640 www-data adm
  sharedscripts
  prerotate
    if [ -d /etc/logrotate.d/web-prerotate ]; then \\
      run-parts /etc/logrotate.d/web-prerotate; \\
    fi \\
  endscript
  postrotate
    invoke-rc.d web rotate >/dev/null 2>&1
  endscript
}
`,
  'a database': `/var/log/database/*.log {
       weekly
       rotate 10
       copytruncate
       delaycompress
       compress
       notifempty
       missingok
       su root root
}
`,
  'a database with much to say': `# comments, blank lines, sizes

/var/log/sql/sql.log /var/log/sql/slow.log /var/log/sql/error.log {
  su mysql mysql
  missingok
  create 660 mysql mysql
  notifempty
  daily
  minsize 1
  maxsize 500M
  rotate 30
  dateext
  dateformat .%Y-%m-%d
  compress
  delaycompress
  sharedscripts
  postrotate
    test -x /usr/bin/sqladmin || exit 0
    # tells the server
    if [ -f /run/sql.pid ]; then
      sqladmin --local flush-error-log
    fi
  endscript
}
`,
  'a key-value store':
    '/var/log/store/store*.log {\n        weekly\n        missingok\n        rotate 12\n        compress\n        notifempty\n}\n',
  'a file server': `/var/log/files/log.smb {
	weekly
	missingok
	rotate 7
	postrotate
		[ ! -f /run/files/smb.pid ] || kill -HUP $(cat /run/files/smb.pid)
	endscript
	compress
	delaycompress
	notifempty
}

/var/log/files/log.nmb {
	weekly
	missingok
	rotate 7
	postrotate
		[ ! -f /run/files/nmb.pid ] || kill -HUP $(cat /run/files/nmb.pid)
	endscript
	compress
	delaycompress
	notifempty
}
`,
  'a mail server':
    '/var/log/mailer/mainlog /var/log/mailer/rejectlog {\n\tdaily\n\tmissingok\n\trotate 10\n\tcompress\n\tdelaycompress\n\tnotifempty\n\tnocreate\n}\n',
  'a ban hammer':
    '/var/log/ban.log {\n    weekly\n    rotate 4\n    compress\n    delaycompress\n    missingok\n    postrotate\n\tban-client flushlogs 1>/dev/null || true\n    endscript\n    # If it runs as non-root\n    #create 640 ban adm\n    create 640 root adm\n}\n',
  'package managers': `/var/log/pkg/term.log {
  rotate 12
  monthly
  compress
  missingok
  notifempty
}
/var/log/pkg/history.log {
  rotate 12
  monthly
  compress
  missingok
  notifempty
}
/var/log/pkg.log {
	monthly
	rotate 12
	compress
	delaycompress
	missingok
	notifempty
	create 644 root root
}
`,
  logins:
    '# no packages own these\n/var/log/btmp-x {\n    missingok\n    monthly\n    create 0660 root utmp\n    rotate 1\n}\n',
}
