"""What the web server loads."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DATABASE_WAIT", "0.15")  # a hook without a database is answered within 200 ms
application = get_wsgi_application()

from django.conf import settings  # noqa: E402 -- Django must be set up first

from cds import decoders  # noqa: E402
from config import urls  # noqa: E402, F401 -- whatever answers a request is imported before the threads that do
from config.celery import start_embedded_beat, start_embedded_worker  # noqa: E402

decoders.build()
if settings.EMBEDDED:
    start_embedded_worker()
    start_embedded_beat()
