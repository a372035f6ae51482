"""Models on this machine: the folder `<node.data_dir>/models`, pulling models into it, and conversion for vLLM."""
