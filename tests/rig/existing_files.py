"""The three configuration files of the old service, as its users have them, and a program to go with them."""

from pathlib import Path

CONFIG = """\
[awsauth]
aws_config_file = AwsConfig.ini

[dockerfile]
program_path = program
requirements_file = requirements.txt
init_file =

[dockerimage]
image_name = sample-program
image_version =

[ecr]
push_to_ecr = true
repository = sample-repository
version = v1

[batch]
batch_config_file = BatchConfig.yml
create_job_def = true
"""

AWS_CONFIG = """\
[aws]
region = eu-central-1
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = secret/with+signs%and=more
aws_id = 123456789012
"""

BATCH_CONFIG = """\
client:
    region: eu-central-1

comp_env:
    computer_enviornment_name: &environment sample-environment
    security_group_ids:
        - sg-0123abcd
    subnets:
        - subnet-0123abcd
    service_role: AWSBatchServiceRole
    instance_role: ecsInstanceRole
    max_vcpus: 128

job_queue:
    job_queue_name: &queue sample-queue
    job_queue_priority: 100
    computer_enviornment_name: *environment

job_def:
    job_definition_name: &definition sample-definition
    image: &image 123456789012.dkr.ecr.eu-central-1.amazonaws.com/sample-repository:v1
    command: python sampleProgram.py Ref::infile
    memory: 512
    vcpus: 1
    job_definition_param:
        infile: requirements.txt
    job_definition_enviornment_variables: []
    computer_enviornment_name: *environment

job:
    job_name: sample-job
    job_definition_name_version: sample-definition:1
    job_param:
        infile: sampleProgram.py
    job_command: python sampleProgram.py Ref::infile
    job_vcpus: 1
    job_memory: 512
    retry_attempts: 2
    job_enviornment_variables:
        - name: GREETING
          value: hello
    job_definition_name: *definition
    job_queue_name: *queue
"""

PROGRAM = '''\
"""Says who it greets, where it is, and how many lines its input has."""

import os
import sys

with open(sys.argv[1]) as lines:
    print(os.environ.get("GREETING", "nobody"), os.getcwd(), len(list(lines)))
'''


def write(folder: Path) -> Path:
    """Write all of it to a new folder, whose path would break careless quoting."""
    place = folder / "old service für Köln"
    (place / "program").mkdir(parents=True)
    (place / "program" / "sampleProgram.py").write_text(PROGRAM, encoding="utf-8")
    (place / "program" / "requirements.txt").write_text("six==1.17.0\n", encoding="utf-8")
    for name, text in (("Config.ini", CONFIG), ("AwsConfig.ini", AWS_CONFIG), ("BatchConfig.yml", BATCH_CONFIG)):
        (place / name).write_text(text, encoding="utf-8")
    return place
