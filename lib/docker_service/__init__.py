"""From a program's folder to an image in Amazon ECR, as calls. docs/library.md shows them at work."""

from docker_service.create_docker import create_docker_image, create_dockerfile
from docker_service.ecr_push import connect_to_ecr, ecr_client, ecr_push, push_image, tag_image

__all__ = [
    "connect_to_ecr",
    "create_docker_image",
    "create_dockerfile",
    "ecr_client",
    "ecr_push",
    "push_image",
    "tag_image",
]
