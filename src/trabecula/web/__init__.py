"""The local web app and the prediction service: pages and a JSON API over the workflow; computes nothing itself."""
