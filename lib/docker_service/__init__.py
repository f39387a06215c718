"""From a program's folder to an image in Amazon ECR, as calls: create_docker, ecr_push. docs/library.md shows them."""
