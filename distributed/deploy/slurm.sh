#!/bin/bash
#SBATCH --job-name=mnist
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=00:30:00
# A node of a cluster that MPI and the program are on; a job that was requeued resumes from the folder of its backup.
#SBATCH --requeue
export RAYON_NUM_THREADS=$SLURM_CPUS_PER_TASK INKSTONE_DATA=$HOME/mnist
srun --mpi=pmix ./mnist_distributed --epochs 5 --batch-size 512 --backup "$HOME/backup"
