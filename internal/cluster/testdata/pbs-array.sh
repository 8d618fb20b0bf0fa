#!/bin/sh
#PBS -N jwst-20bced33-r3
#PBS -j oe
#PBS -J 0-23%4
#PBS -o /scratch/me/jwst-1345/.jwstbulk/job/jwst-20bced33-r3.^array_index^.log
#PBS -r y
#PBS -q dtn
#PBS -A ab12
#PBS -l select=1:ncpus=1:mem=2G
#PBS -l walltime=04:00:00
#PBS --qos=low

# Round 3: fetches 24 shards, 4 at a time; the limits below are one task's share.
# It may be started any number of times: each start goes on where the last one was.

# This start will be ended 14400 s from now: stop in time.
JWSTBULK_DEADLINE=$(( $(date +%s) + 14400 ))
export JWSTBULK_DEADLINE

exec /opt/jwstbulk/bin/jwstbulk run \
  --shard \
  --round 3 \
  --dir /scratch/me/jwst-1345 \
  --jobs 2 \
  --rate 2.5 \
  --limit-rate 10000000 \
  --order-by size,desc \
  --archive https://mast.stsci.edu \
  --token-file '/home/me/my token'
