#!/bin/sh
#SBATCH --job-name=jwst-20bced33-c3
#SBATCH --output=/scratch/me/jwst-1345/.jwstbulk/job/jwst-20bced33-c3.%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --partition=dtn
#SBATCH --account=ab12
#SBATCH --mem=2G
#SBATCH --time=04:00:00
#SBATCH --qos=low

# Takes the work of round 3 in, writes the manifest, and submits what is left while rounds are left.
# It may be started any number of times: each start goes on where the last one was.

# This start will be ended 14400 s from now: stop in time.
JWSTBULK_DEADLINE=$(( $(date +%s) + 14400 ))
export JWSTBULK_DEADLINE

exec /opt/jwstbulk/bin/jwstbulk collect \
  --rounds 5 \
  --dir /scratch/me/jwst-1345
