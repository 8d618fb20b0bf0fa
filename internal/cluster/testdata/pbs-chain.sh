#!/bin/sh
#PBS -N jwst-20bced33-chain
#PBS -j oe
#PBS -o /scratch/me/jwst-1345/.jwstbulk/job/jwst-20bced33-chain.log
#PBS -r y
#PBS -q dtn
#PBS -A ab12
#PBS -l select=1:ncpus=1:mem=2G
#PBS -l walltime=04:00:00
#PBS --qos=low

# Fetches until the time is over, then submits this script again while files are left.
# It may be started any number of times: each start goes on where the last one was.

# This start will be ended 14400 s from now: stop in time.
JWSTBULK_DEADLINE=$(( $(date +%s) + 14400 ))
export JWSTBULK_DEADLINE

exec /opt/jwstbulk/bin/jwstbulk run \
  --chain /scratch/me/jwst-1345/.jwstbulk/job/jwst-20bced33-chain.sh \
  --batch-system pbs \
  --dir /scratch/me/jwst-1345 \
  --jobs 10 \
  --rate 10 \
  --limit-rate 40000000 \
  --order-by size,desc \
  --archive https://mast.stsci.edu \
  --token-file '/home/me/my token'
