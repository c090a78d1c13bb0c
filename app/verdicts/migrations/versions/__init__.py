"""One module a version, each as it was when it came: a version that is out is never changed."""
