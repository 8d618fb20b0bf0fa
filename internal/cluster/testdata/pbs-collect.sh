#!/bin/sh
#PBS -N jwst-20bced33-c3
#PBS -j oe
#PBS -o /scratch/me/jwst-1345/.jwstbulk/job/jwst-20bced33-c3.log
#PBS -r y
#PBS -q dtn
#PBS -A ab12
#PBS -l select=1:ncpus=1:mem=2G
#PBS -l walltime=04:00:00
#PBS --qos=low

# Takes the work of round 3 in, writes the manifest, and submits what is left while rounds are left.
# It may be started any number of times: each start goes on where the last one was.

# This start will be ended 14400 s from now: stop in time.
JWSTBULK_DEADLINE=$(( $(date +%s) + 14400 ))
export JWSTBULK_DEADLINE

exec /opt/jwstbulk/bin/jwstbulk collect \
  --rounds 5 \
  --dir /scratch/me/jwst-1345
