#!/bin/sh
# ${name}
%{ for p in packages ~}
apt-get install -y ${p}
%{ endfor ~}
echo "$${HOME}"
