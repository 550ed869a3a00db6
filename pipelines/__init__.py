"""Steps wired into Kubeflow pipelines: compiled, run here, submitted there."""
