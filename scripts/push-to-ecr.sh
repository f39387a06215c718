#!/bin/sh
# Pushes an image of this computer's Docker Engine to Amazon ECR, with docker and the AWS CLI (version 2) only.
set -eu

usage() {
    cat >&2 <<'END'
usage: sh push-to-ecr.sh ACCOUNT NAME:VERSION REPOSITORY ECR_VERSION

  ACCOUNT       AWS account id, 12 digits
  NAME:VERSION  image on this computer, e.g. iris:v1
  REPOSITORY    ECR repository, made if it is missing
  ECR_VERSION   version (tag) in ECR; may differ from VERSION

The region is AWS_REGION, else AWS_DEFAULT_REGION, else that of the AWS CLI's profile.
END
    exit 2
}

stop() {
    code=$1
    shift
    printf 'push-to-ecr: %s\n' "$*" >&2
    exit "$code"
}

[ $# -eq 4 ] || usage
account=$1 image=$2 repository=$3 version=$4
case $account in *[!0-9]* | '') usage ;; esac
[ ${#account} -eq 12 ] || usage
case $image in -* | '' | *[[:space:]]*) usage ;; esac
case $repository in *[!a-z0-9._/-]* | '' | [!a-z0-9]*) usage ;; esac
case $version in *[!A-Za-z0-9._-]* | '' | [!A-Za-z0-9_]*) usage ;; esac

# Exit codes as those of model-dockerize: 4 engine, 7 push, 8 no access to AWS.
command -v docker >/dev/null 2>&1 || stop 4 "docker is not installed."
command -v aws >/dev/null 2>&1 || stop 4 "the AWS CLI (version 2) is not installed."
case $(aws --version 2>&1) in
    aws-cli/1.*) stop 4 "the AWS CLI is version 1; install version 2." ;;
    aws-cli/*) ;;
    *) stop 4 "the AWS CLI does not start: $(aws --version 2>&1)" ;;
esac
docker version >/dev/null 2>&1 || stop 4 "Docker Engine does not answer: start it, or set DOCKER_HOST."
docker image inspect "$image" >/dev/null 2>&1 || stop 4 "Docker Engine holds no image $image."

AWS_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
[ -n "$AWS_REGION" ] || stop 2 "no region: set AWS_REGION, or \`aws configure set region NAME\`."
AWS_DEFAULT_REGION=$AWS_REGION
AWS_PAGER=
export AWS_REGION AWS_DEFAULT_REGION AWS_PAGER

found=$(aws sts get-caller-identity --query Account --output text) || stop 8 "AWS does not accept the credentials."
[ "$found" = "$account" ] || stop 8 "the credentials belong to account $found, not to $account."

# The log-in lives in a folder of its own, in memory where there is such a place, and ends with this script.
umask 077
[ -w /dev/shm ] && folder=$(mktemp -d /dev/shm/push-to-ecr.XXXXXX) || folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# The engine is the one that docker uses without that folder too, whose contexts are not there.
if [ -z "${DOCKER_HOST:-}" ]; then
    DOCKER_HOST=$(docker context inspect --format '{{.Endpoints.docker.Host}}') || stop 4 "docker names no engine."
    export DOCKER_HOST
fi

uri() {
    aws ecr describe-repositories --registry-id "$account" --repository-names "$repository" \
        --query 'repositories[0].repositoryUri' --output text
}

ask() { uri 2>"$folder/error"; }
if ! address=$(ask); then
    grep -q RepositoryNotFoundException "$folder/error" || {
        cat "$folder/error" >&2
        stop 8 "repository $repository cannot be looked up."
    }
    # Of two that make it at once, one is told that it is there.
    aws ecr create-repository --repository-name "$repository" \
        --tags Key=model-dockerize,Value=registry --query repository.repositoryUri --output text \
        >/dev/null 2>"$folder/error" || grep -q RepositoryAlreadyExistsException "$folder/error" || {
        cat "$folder/error" >&2
        stop 8 "repository $repository cannot be made."
    }
    address=$(uri)
    echo "repository $repository: made"
fi

DOCKER_CONFIG=$folder
export DOCKER_CONFIG
aws ecr get-login-password |
    docker login --username AWS --password-stdin "${address%%/*}" >"$folder/login" 2>&1 || {
    cat "$folder/login" >&2
    stop 7 "the registry ${address%%/*} refuses the log-in."
}
docker tag "$image" "$address:$version" || stop 4 "$image cannot be named $address:$version."
docker push "$address:$version" || stop 7 "the push failed."
# Under the tag of its build `model-dockerize` finds it again, and ECR keeps it when the version moves on.
label='{{with .Config.Labels}}{{index . "io.model-dockerize.build-id"}}{{end}}'
build=$(docker image inspect --format "$label" "$image")
if [ -n "$build" ]; then
    docker tag "$image" "$address:build-$build"
    docker push --quiet "$address:build-$build" >/dev/null || stop 7 "the push of build-$build failed."
fi

held=$(aws ecr describe-images --repository-name "$repository" --image-ids "imageTag=$version" \
    --query 'imageDetails[0].imageDigest' --output text) || stop 7 "$repository holds no version $version."
docker image inspect --format '{{join .RepoDigests "\n"}}' "$address:$version" | grep -qxF "$address@$held" ||
    stop 7 "$repository:$version in ECR is $held, which is not what was pushed."
echo "$address@$held"
