"""A page on this machine where one says something and hears it in another voice."""
