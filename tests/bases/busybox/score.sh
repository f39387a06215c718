#!/bin/sh
tr "[:lower:]" "[:upper:]" < "$1" > "$2"
