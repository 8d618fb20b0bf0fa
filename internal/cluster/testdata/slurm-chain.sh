#!/bin/sh
#SBATCH --job-name=jwst-20bced33-chain
#SBATCH --output=/scratch/me/jwst-1345/.jwstbulk/job/jwst-20bced33-chain.%j.log
#SBATCH --dependency=singleton
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

# Fetches until the time is over, then submits this script again while files are left.
# It may be started any number of times: each start goes on where the last one was.

# This start will be ended 14400 s from now: stop in time.
JWSTBULK_DEADLINE=$(( $(date +%s) + 14400 ))
export JWSTBULK_DEADLINE

exec /opt/jwstbulk/bin/jwstbulk run \
  --chain /scratch/me/jwst-1345/.jwstbulk/job/jwst-20bced33-chain.sh \
  --batch-system slurm \
  --dir /scratch/me/jwst-1345 \
  --jobs 10 \
  --rate 10 \
  --limit-rate 40000000 \
  --order-by size,desc \
  --archive https://mast.stsci.edu \
  --token-file '/home/me/my token'
