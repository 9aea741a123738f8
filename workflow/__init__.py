"""What runs the notebooks: the pipeline, its commands, its costs."""
