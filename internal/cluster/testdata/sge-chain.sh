#!/bin/sh
#$ -N jwst-20bced33-chain
#$ -S /bin/sh
#$ -cwd
#$ -j y
#$ -r y
#$ -o /scratch/me/jwst-1345/.jwstbulk/job/jwst-20bced33-chain.$JOB_ID.log
#$ -q dtn
#$ -A ab12
#$ -l h_vmem=2G
#$ -l h_rt=04:00:00
#$ -l s_rt=03:58:00
#$ --qos=low

# Fetches until the time is over, then submits this script again while files are left.
# It may be started any number of times: each start goes on where the last one was.

# This start will be ended 14400 s from now: stop in time.
JWSTBULK_DEADLINE=$(( $(date +%s) + 14400 ))
export JWSTBULK_DEADLINE

exec /opt/jwstbulk/bin/jwstbulk run \
  --chain /scratch/me/jwst-1345/.jwstbulk/job/jwst-20bced33-chain.sh \
  --batch-system sge \
  --dir /scratch/me/jwst-1345 \
  --jobs 10 \
  --rate 10 \
  --limit-rate 40000000 \
  --order-by size,desc \
  --archive https://mast.stsci.edu \
  --token-file '/home/me/my token'
