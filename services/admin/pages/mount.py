"""Setting the pages on the API."""

from fastapi import FastAPI
from nicegui import ui

from services.admin.pages.datasets import add_datasets_page
from services.admin.pages.job import add_job_page
from services.admin.pages.jobs import add_jobs_page
from services.admin.pages.login import add_login_page
from services.admin.pages.models import add_models_page
from services.admin.pages.overview import add_overview_page

PAGES = (add_login_page, add_overview_page, add_models_page, add_jobs_page, add_job_page, add_datasets_page)


def mount_pages(app: FastAPI) -> None:
    """Serve the pages beside the API, in the same process; once a process, for NiceGUI keeps its pages for all of it.

    Args:
        app: the API, with the sessions that pages and API share.
    """
    for add in PAGES:
        add(app)
    ui.run_with(app, title="EarthEye", show_welcome_message=False, favicon="🛰")
