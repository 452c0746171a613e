"""The example site with the strictest useful Content-Security-Policy, which also serves its static files."""

from project.settings import *  # noqa: F403 - settings are told so
from project.settings import MIDDLEWARE as MIDDLEWARE_OF_THE_SITE

MIDDLEWARE = ["tests.browser.policy.ContentSecurityPolicy", *MIDDLEWARE_OF_THE_SITE]
WSGI_APPLICATION = "tests.browser.wsgi.application"
