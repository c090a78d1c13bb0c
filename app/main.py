"""The inspector: `streamlit run app/main.py [-- --data DIR --run DIR]`. Navigation alone."""

import streamlit as st

from app import messages
from app.views import patch


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Steel inspector", layout="wide", initial_sidebar_state="expanded")
    page = st.navigation([st.Page(patch.show, title="One patch", url_path="patch", default=True)])
    with messages.calm():
        page.run()


if __name__ == "__main__":  # so `streamlit run` starts it; who only imports it draws nothing
    main()
