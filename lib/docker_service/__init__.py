"""From a program's folder to an image in Amazon ECR, as calls."""
