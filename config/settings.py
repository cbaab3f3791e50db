"""Every setting, on one page. Values come from the environment and are checked at the start."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
import django_stubs_ext
from celery.schedules import crontab
from kombu import Exchange, Queue

from config import env

django_stubs_ext.monkeypatch()  # lets `ModelAdmin[Model]` and the like be written where mypy wants them

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Where it runs -----------------------------------------------------------------------------------------------
HOME = Path(
    env.text("BEDSIDE_HOME", str(BASE_DIR / "var"))
)  # what the embedded mode keeps: database, secrets, SR files
BASE_URL = env.text("BASE_URL", "http://localhost:8000").rstrip(
    "/"
)  # as EHRs and browsers see us; `aud` is checked against it
DEBUG = False
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", urlsplit(BASE_URL).hostname or "localhost")
DEMO_EHR = env.flag("DEMO_EHR")
# Another host name than ours on purpose: a frame is only third-party, as it is in a hospital, if the sites differ.
DEMO_EHR_URL = env.text("DEMO_EHR_URL", f"http://127.0.0.1:{urlsplit(BASE_URL).port or 80}/demo-ehr").rstrip("/")
DEMO_EHR_POPULATION = env.text("DEMO_EHR_POPULATION")  # a folder that `manage.py synthesize` filled, exported by it
DEMO_EHR_OPEN_FILES = env.flag("DEMO_EHR_OPEN_FILES")  # its exports' files are opened by their address, without a token
if DEMO_EHR:
    ALLOWED_HOSTS.append(str(urlsplit(DEMO_EHR_URL).hostname))
SECURE = BASE_URL.startswith("https://")
BEHIND_PROXY = env.flag("BEHIND_PROXY")  # which sets X-Forwarded-Proto and appends to X-Forwarded-For

# --- Secrets -----------------------------------------------------------------------------------------------------
SECRET_KEY = env.secret("SECRET_KEY", kept_in=HOME)
FIELD_KEYS = env.words("FIELD_KEYS") or [
    env.secret("FIELD_KEY", kept_in=HOME)
]  # newest first; older ones still decrypt
AUDIT_KEYS = env.secret("AUDIT_KEY", kept_in=HOME).split(",")  # newest first; older ones still verify

# --- Applications ------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "config.apps.SiteConfig",  # django.contrib.admin with our first page
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "rest_framework",
    "scoring",
    "cds",
    "cds.services.diabetes",
    "cds.services.hypertension",
    "cds.services.metformin_renal",  # a further question is one more folder and one more line here
    "hooks",
    "smartapp",
    "config",
]
if DEMO_EHR:
    INSTALLED_APPS.append("smartapp.demo_ehr")

MIDDLEWARE = [
    "config.address.noted",
    "django.middleware.security.SecurityMiddleware",
    "config.machines.straight",  # a call of an EHR sees nothing of what stands below
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.outage.Outage",
    "config.refusals.Refusals",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["cds.formats.Json"],
    "DEFAULT_PARSER_CLASSES": ["cds.formats.Body"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "cds.formats.JsonOnly",
    "EXCEPTION_HANDLER": "hooks.refusals.noted_and_answered",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Bedside",
    "VERSION": "1.0.0",  # of the API; a change that breaks callers raises it
    "OAS_VERSION": "3.1.0",
}

# --- Database ----------------------------------------------------------------------------------------------------
DATABASE_URL = env.text("DATABASE_URL", f"sqlite:///{HOME}/bedside.sqlite3")
DATABASES = {"default": dj_database_url.parse(DATABASE_URL)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    # A file and not memory, so that the worker's thread sees the same tables in the tests.
    DATABASES["default"]["TEST"] = {"NAME": str(HOME / "test.sqlite3")}
else:
    DATABASES["default"]["OPTIONS"] = {
        "pool": {
            "min_size": 2,
            "max_size": int(env.number("DATABASE_POOL", 8)),
            # Seconds to wait for a connection; a web process waits far less (wsgi.py).
            "timeout": env.number("DATABASE_WAIT", 30),
            "reconnect_timeout": 5,  # then it is tried again when somebody asks, and not all the time
        },
        "connect_timeout": 2,
        "tcp_user_timeout": 1000,  # milliseconds: a server that vanished is noticed
        "prepare_threshold": 0,  # plans are kept, of what cds.prepared asks; Django's own cursors never keep one
    }
    if not DATABASES["default"]["OPTIONS"]["pool"]["max_size"]:
        # DATABASE_POOL=0, for workers of Celery's solo pool, which hang with it.
        del DATABASES["default"]["OPTIONS"]["pool"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Queue, cache, doorbell --------------------------------------------------------------------------------------
REDIS_URL = env.text("REDIS_URL")
EMBEDDED = not REDIS_URL  # one process: a worker thread beside the web threads, messages in memory
CELERY_BROKER_URL = REDIS_URL or "memory://localhost"
REDIS_CONNECT_SECONDS = env.number("REDIS_CONNECT", 0.2)  # a queue that is down is noticed, not waited for
REDIS_ANSWER_SECONDS = env.number("REDIS_ANSWER", 0.5)  # nor is one that takes the call and says nothing
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, float] = {"polling_interval": 0.005}
if REDIS_URL:
    # No retry when a hook queues its work (a worker retries by other rules): kombu's own would hold the hook for 6 seconds.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 60, "max_retries": 0}
    CELERY_BROKER_TRANSPORT_OPTIONS["socket_connect_timeout"] = REDIS_CONNECT_SECONDS
    CELERY_BROKER_TRANSPORT_OPTIONS["socket_timeout"] = max(REDIS_ANSWER_SECONDS, 5)  # a worker listens by this, too
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "interactive"
# A worker takes from all queues unless it is told otherwise.
CELERY_TASK_QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in ("interactive", "batch", "training")]
CELERY_TASK_ROUTES = {
    "cds.tasks.reach_*": {"queue": "batch"},
    "smartapp.tasks.close_sessions": {"queue": "batch"},
    "cds.tasks.purge_expired": {"queue": "batch"},
    "cds.tasks.collect_outcomes": {"queue": "batch"},
    "cds.tasks.prepare_reviews": {"queue": "batch"},
    "cds.tasks.watch_models": {"queue": "batch"},
    "cds.tasks.send_write_back*": {"queue": "batch"},
    "cds.tasks.follow_merges": {"queue": "batch"},
    "cds.tasks.look_for_merges*": {"queue": "batch"},
    "cds.tasks.sweep*": {"queue": "batch"},
    "cds.tasks.expire_batches": {"queue": "batch"},
    "cds.tasks.follow*": {"queue": "batch"},
    "cds.tasks.keep_listening": {"queue": "batch"},
    "cds.tasks.rescore": {"queue": "batch"},
    "cds.tasks.renew_models": {"queue": "training"},  # needs the extra `train`
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE = {
    "pick-up-lost-assessments": {"task": "cds.tasks.pick_up_lost", "schedule": 15.0},
    "send-write-backs": {"task": "cds.tasks.send_write_backs", "schedule": 15.0},
    "follow-up": {"task": "cds.tasks.follow_up", "schedule": 10.0},
    "keep-listening": {"task": "cds.tasks.keep_listening", "schedule": 300.0},
    "follow-merges": {"task": "cds.tasks.follow_merges", "schedule": 60.0},
    "look-for-merges": {"task": "cds.tasks.look_for_merges", "schedule": crontab(hour=1, minute=50)},
    "sweep-on": {"task": "cds.tasks.sweep_on", "schedule": 60.0},
    "expire-batches": {"task": "cds.tasks.expire_batches", "schedule": crontab(minute=25)},
    "reach-ehrs": {"task": "cds.tasks.reach_ehrs", "schedule": 300.0},
    "close-sessions": {"task": "smartapp.tasks.close_sessions", "schedule": 60.0},
    "seal-audit": {"task": "cds.tasks.seal_audit", "schedule": 60.0},
    "collect-outcomes": {"task": "cds.tasks.collect_outcomes", "schedule": crontab(minute=40)},
    "prepare-reviews": {"task": "cds.tasks.prepare_reviews", "schedule": 300.0},
    "renew-models": {"task": "cds.tasks.renew_models", "schedule": crontab(day_of_month=1, hour=2, minute=10)},
    "watch-models": {"task": "cds.tasks.watch_models", "schedule": crontab(hour=4, minute=10)},
    "purge-expired": {"task": "cds.tasks.purge_expired", "schedule": crontab(hour=3, minute=20)},
}
CACHES: dict[str, dict[str, object]] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CACHES["default"]["OPTIONS"] = {"MAX_ENTRIES": 100_000}  # every `jti` of an hour: one that is dropped could be replayed
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "config.cache.KeptRedisCache", "LOCATION": REDIS_URL}}
    CACHES["default"]["OPTIONS"] = {
        "socket_connect_timeout": REDIS_CONNECT_SECONDS,
        "socket_timeout": REDIS_ANSWER_SECONDS,
    }
# What a process still knows while Redis is down (hooks.memory).
CACHES["process"] = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "process"}

# --- Audit and retention -----------------------------------------------------------------------------------------
AUDIT_ANCHOR_FILE = Path(env.text("AUDIT_ANCHOR_FILE", str(HOME / "audit-anchor.log")))  # append-only, best elsewhere
AUDIT_RETENTION_YEARS = int(env.number("AUDIT_RETENTION_YEARS", 7))  # HIPAA's usual reading is 6
AUDIT_HOLD = env.flag("AUDIT_HOLD")  # a legal hold: nothing is purged
SNAPSHOT_RETENTION_DAYS = int(env.number("SNAPSHOT_RETENTION_DAYS", 90))
# Rows of numbers without a patient, from which the next model learns.
PREDICTION_RETENTION_DAYS = int(env.number("PREDICTION_RETENTION_DAYS", 5 * 365))

# --- Deadlines and limits ----------------------------------------------------------------------------------------
OPEN_DISCOVERY = env.flag("OPEN_DISCOVERY", default=True)  # may a caller without a JWT see which services there are?
HOOK_WAIT_SECONDS = env.number("HOOK_WAIT", 0.4)  # CDS Hooks 2.0.1 asks for an answer in about 500 ms
# For all that a hook fetches: an EHR that is slower than this gets its 412 while its user still waits for the chart.
HOOK_FETCH_SECONDS = env.number("HOOK_FETCH", 2)
PREDICT_WAIT_SECONDS = env.number("PREDICT_WAIT", 10)  # a caller of /api/predict waits for its answer
FHIR_TIMEOUT_SECONDS = env.number("FHIR_TIMEOUT", 5)
FHIR_ANSWER_SECONDS = env.number("FHIR_ANSWER", 10)  # for the whole of one answer, however steadily it drips
FHIR_MAX_BYTES = int(env.number("FHIR_MAX_BYTES", 20_000_000))
FHIR_TOKEN = env.given("FHIR_TOKEN")  # with which `train` and `evaluate` read a whole server (--data @EHR)
FHIR_MAX_PAGES = int(env.number("FHIR_MAX_PAGES", 20))
DATA_UPLOAD_MAX_MEMORY_SIZE = int(env.number("HOOK_MAX_BYTES", 10_000_000))

# --- Populations -------------------------------------------------------------------------------------------------
BATCH_HOURS = env.number("BATCH_HOURS", 24)  # what a batch of a caller's found can be fetched for so long
BATCH_MAX_BYTES = int(env.number("BATCH_MAX_BYTES", 4_000_000_000))  # of one upload, inflated
BULK_FOLDER = Path(env.text("BULK_FOLDER", str(HOME / "bulk")))  # records while a run needs them: an encrypted volume
POPULATION_PROCESSES = int(env.number("POPULATION_PROCESSES", 2))  # that answer for a large population, side by side
BULK_FREE_BYTES = int(env.number("BULK_FREE_BYTES", 500_000_000))  # stay free there: what is fetched never fills it

# --- DICOM -------------------------------------------------------------------------------------------------------
DICOM_FOLDER = Path(env.text("DICOM_FOLDER", str(HOME / "dicom")))
DICOM_UID_ROOT = env.text("DICOM_UID_ROOT", "2.25")

# --- Administrators ----------------------------------------------------------------------------------------------
ADMIN_OIDC_ISSUER = env.text("ADMIN_OIDC_ISSUER").rstrip("/")  # empty: everybody signs in with a password
ADMIN_OIDC_CLIENT_ID = env.text("ADMIN_OIDC_CLIENT_ID")
ADMIN_OIDC_CLIENT_SECRET = env.given("ADMIN_OIDC_CLIENT_SECRET")
ADMIN_OIDC_CLAIM = env.text("ADMIN_OIDC_CLAIM", "groups")  # of the id_token: what a person is there
# ... and which role that is here: "theirs=ours", such as "cds-it=integrator,cds-audit=auditor"
ADMIN_OIDC_ROLES = env.pairs("ADMIN_OIDC_ROLES")
AUTHENTICATION_BACKENDS = ["config.sign_in.Password"]

# --- Browser -----------------------------------------------------------------------------------------------------
X_FRAME_OPTIONS = "DENY"  # the clinician's pages are exempt: there `frame-ancestors` names the EHR (smartapp)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    },
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"  # "no-referrer" makes browsers send `Origin: null`, which the CSRF check refuses
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_SSL_REDIRECT = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SESSION_COOKIE_SECURE = SECURE
# The admin's; the clinician's session is keyed by launch (smartapp). The way back from the OpenID provider needs Lax.
SESSION_COOKIE_SAMESITE = "Lax" if ADMIN_OIDC_ISSUER else "Strict"
SESSION_COOKIE_AGE = 8 * 3600  # seconds: a working day, after which the roles are asked for again
CSRF_COOKIE_SECURE = SECURE

# --- Words and files ---------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = env.text("TIME_ZONE", "UTC")
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(HOME / "static")))
WHITENOISE_USE_FINDERS = True

# --- Logging: no query strings, bodies or names ------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"addresses": {"()": "config.logs.SecretAddresses"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["addresses"]},
        "nowhere": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "celery": {"level": "WARNING"},
        "py4j": {"level": "WARNING"},
        # They log what they send and what a server says, names included; we say what went wrong ourselves.
        "dicomweb_client": {"level": "CRITICAL"},
        "pynetdicom": {"level": "CRITICAL"},
        "pydicom": {"handlers": ["nowhere"], "propagate": False},  # it sets its level itself, when it is imported
    },
}
