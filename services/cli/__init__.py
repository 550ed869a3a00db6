"""The console command `eartheye`."""
