#!/bin/sh
#$ -N jwst-20bced33-c3
#$ -S /bin/sh
#$ -cwd
#$ -j y
#$ -r y
#$ -o /scratch/me/jwst-1345/.jwstbulk/job/jwst-20bced33-c3.$JOB_ID.log
#$ -q dtn
#$ -A ab12
#$ -l h_vmem=2G
#$ -l h_rt=04:00:00
#$ -l s_rt=03:58:00
#$ --qos=low

# Takes the work of round 3 in, writes the manifest, and submits what is left while rounds are left.
# It may be started any number of times: each start goes on where the last one was.

# This start will be ended 14400 s from now: stop in time.
JWSTBULK_DEADLINE=$(( $(date +%s) + 14400 ))
export JWSTBULK_DEADLINE

exec /opt/jwstbulk/bin/jwstbulk collect \
  --rounds 5 \
  --dir /scratch/me/jwst-1345
