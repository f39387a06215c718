"""The way from a program's folder to an image in Amazon ECR, as calls; docs/library.md shows them."""

from docker_service.create_docker import Dockerfile, create_dockerfile, create_image
from docker_service.ecr_push import push_image
from model_dockerize.aws import PushedImage
from model_dockerize.image import Image

__all__ = ["Dockerfile", "Image", "PushedImage", "create_dockerfile", "create_image", "push_image"]
