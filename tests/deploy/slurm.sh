#!/bin/bash
# Runs deploy/slurm on a Slurm of its own (one controller, three nodes, this host, loopback) and breaks things meanwhile:
#     tests/deploy/slurm.sh            programs from target/release, or from the directory in BABELQUANT_BIN
#
# A worker is preempted, one cancelled, one requeued, one meets its time limit, a node with three is killed, and the coordinator is
# requeued. The run must complete, and every file under data/ must be the bytes of `babelquant run` without faults. Then come a
# coordinator that cannot run and one that is cancelled: their workers must say so and end. About three minutes on two CPUs.
#
# Needs root; installs slurm-wlm and munge if they are missing, and says SKIPPED if it cannot. It is no test of Slurm itself, of
# real networks, or of GPUs. KEEP=1 keeps the directory with all logs.
set -euo pipefail

# shellcheck source=tests/deploy/common.sh
. "$(dirname "$0")/common.sh"
show() { squeue || true; }

(( EUID == 0 )) || skip "needs root to run slurmd"
have() { command -v slurmctld slurmd munged >/dev/null; }
if ! have; then
    command -v apt-get >/dev/null || skip "no Slurm here, and no apt-get to install it with"
    install=(apt-get install -y --no-install-recommends slurm-wlm munge)
    DEBIAN_FRONTEND=noninteractive "${install[@]}" >/dev/null 2>&1 || { apt-get update && "${install[@]}"; } >/dev/null 2>&1 || true
    have || skip "slurm-wlm and munge cannot be installed"
fi

dir=$(mktemp -d)
chmod 755 "$dir"
host=$(hostname -s)
port=$((20000 + RANDOM % 9000))

# Processes that have $1 in their environment, which is where Slurm's children say whose they are.
with_environment() {
    local file
    for file in /proc/[0-9]*/environ; do
        if tr '\0' '\n' 2>/dev/null <"$file" | grep -qxF "$1"; then
            file=${file#/proc/}
            echo "${file%/environ}"
        fi
    done 2>/dev/null
}

# Processes of this Slurm's jobs (on one node, if it is given), and the slurmstepd above them.
job_processes() {
    local all pid parent
    all=$(with_environment "SLURM_CONF=$dir/slurm.conf" | sort)
    if [[ -n ${1:-} ]]; then
        all=$(comm -12 <(echo "$all") <(with_environment "SLURMD_NODENAME=$1" | sort))
    fi
    for pid in $all; do
        echo "$pid"
        parent=$(ps -o ppid= -p "$pid" | tr -d ' ') || continue
        if [[ $(ps -o comm= -p "$parent") == slurmstepd ]]; then echo "$parent"; fi
    done | sort -u
}

kill_all() {
    local pid
    for pid in "$@"; do kill -9 "$pid" 2>/dev/null || true; done
}

declare -A daemon=()
clean_up() {
    local code=$? pid
    trap - EXIT
    # shellcheck disable=SC2046
    kill_all "${daemon[@]}" $(job_processes)
    wait 2>/dev/null || true
    for pid in "${daemon[@]}"; do
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    done
    keep_or_remove "$dir" "$code"
    exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

start() { # NAME COMMAND…
    local name=$1
    shift
    setsid "$@" </dev/null >"$dir/$name.out" 2>&1 &
    daemon[$name]=$!
    disown
}

# --- A smaller study of the demo's files, and what it gives without faults

small_study "$dir" 4096 ara deu fin fra hin jpn tha tur
mkdir "$dir/submit"
export XDG_CACHE_HOME=$dir/cache
"$bin/babelquant" run "$dir/study/study.toml" --out "$dir/expected" >"$dir/expected.log" 2>&1 || fail "run: $(tail -3 "$dir/expected.log")"
say "reference run is complete"

# --- Slurm

dd if=/dev/urandom of="$dir/munge.key" bs=128 count=1 status=none
chmod 400 "$dir/munge.key"
start munged munged --foreground --socket="$dir/munge.socket" --key-file="$dir/munge.key" --pid-file="$dir/munged.pid" \
    --seed-file="$dir/munge.seed" --log-file="$dir/munged.log"
export SLURM_CONF=$dir/slurm.conf
cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
# A short life of credentials also shortens the time for which requeued jobs are held.
AuthInfo=cred_expire=5,socket=$dir/munge.socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool.%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,bf_interval=2
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=10
KillWait=10
InactiveLimit=0
JobRequeue=1
SlurmdParameters=config_overrides
NodeName=n[1-3] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 3))] CPUs=3 RealMemory=1000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes=n[1-3] Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=8
PartitionName=high Nodes=n[1-3] MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF
mkdir "$dir/state"
within 20 "munged answers" test -S "$dir/munge.socket"
start slurmctld slurmctld -D
for node in n1 n2 n3; do start "$node" slurmd -D -N "$node"; done
idle() { [[ $(sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l) == 3 ]]; }
within 60 "three nodes are idle" idle
say "three nodes are idle"

# --- The three commands of deploy/slurm/README.md

cd "$dir/submit"
export BABELQUANT_GRACE=5 # less than KillWait
export BABELQUANT=$bin/babelquant BABELQUANT_WORKER=$bin/babelquant-worker BABELQUANT_LISTEN=127.0.0.1:0 BABELQUANT_HOST=127.0.0.1
slurm=$root/deploy/slurm
job=$(sbatch --parsable --partition=high "$slurm/coordinator.sbatch" "$dir/study/study.toml" "$dir/out")
workers=$(sbatch --parsable --array=1-6 "$slurm/workers.sbatch" "$job" "$dir/study")
# One that is told to leave a few seconds after its start.
short=$(sbatch --parsable --array=7 --time=1 --signal=B:USR1@55 "$slurm/workers.sbatch" "$job" "$dir/study")

address() { cat "babelquant-$job.address" 2>/dev/null; }
log() { echo "$dir/submit/babelquant-worker-${workers}_$1.log"; }
short_log=$dir/submit/babelquant-worker-${short}_7.log
seen() { grep -q "$1" "$2" 2>/dev/null; }
ending() { grep 'ended with' "$1" | tail -1; }
status() { "$BABELQUANT" status "$(address)" 2>/dev/null; }
done_units() { # at least so many
    local json
    json=$("$BABELQUANT" status "$(address)" --json 2>/dev/null) || return 1
    (( $(sed -n 's/^  "done": \([0-9]*\),$/\1/p' <<<"$json") >= $1 ))
}
node_of() { squeue -h -j "$1" -t running -o %N; }
running() { [[ $(squeue -h -t running | wc -l) == 8 ]]; }
within 30 "the coordinator and seven workers run" running
within 60 "a first unit is done" done_units 1
say "$(status)"

# --- Faults

head=$(node_of "$job")
short_node=$(node_of "${short}_7")
victim="" beside=() lost=() requeued=""
for task in 1 2 3 4 5 6; do
    node=$(node_of "${workers}_$task")
    case $node in
        "$head") beside+=("$task") ;;
        "$short_node") requeued=$task ;;
        *) victim=$node lost+=("$task") ;;
    esac
done
[[ $head != "$short_node" && ${#beside[@]} == 2 && -n $requeued && ${#lost[@]} == 3 ]] || { squeue; fail "unexpected placement"; }

sbatch --parsable --partition=high --nodelist="$head" --job-name=urgent --output=/dev/null --wrap "exec sleep 1" >/dev/null
preempted() { seen "ended with 75" "$(log "${beside[0]}")" || seen "ended with 75" "$(log "${beside[1]}")"; }
within 30 "a worker is preempted" preempted
seen "ended with 75" "$(log "${beside[0]}")" || beside=("${beside[1]}" "${beside[0]}")
say "preempted: $(ending "$(log "${beside[0]}")")"

mapfile -t doomed < <(job_processes "$victim")
kill_all "${daemon[$victim]}" "${doomed[@]}"
say "killed node $victim: ${#doomed[@]} processes of workers ${lost[*]}"

scontrol requeue "${workers}_$requeued"
within 30 "the requeued worker gives back its units" seen "ended with" "$(log "$requeued")"
say "requeued: $(ending "$(log "$requeued")")"

scancel "${workers}_${beside[1]}"
gone() { [[ -z $(squeue -h -j "${workers}_${beside[1]}" 2>/dev/null) ]]; }
within 40 "the cancelled worker has left" gone
say "cancelled: $(ending "$(log "${beside[1]}")")"

# Slurm looks at time limits twice a minute.
within 60 "the worker with a time limit gives back its units" seen "ended with" "$short_log"
say "near its time limit: $(ending "$short_log")"

before=$(address)
[[ $before == http* ]] || fail "the run was over before the last fault: make the study larger"
scontrol requeue "$job"
moved() { [[ $(address) != "$before" ]]; }
within 90 "the coordinator is back" moved
say "requeued the coordinator: $before, now $(address)"

# --- The end

empty() { [[ -z $(squeue -h) ]]; }
within 300 "the queue is empty" empty
say "the queue is empty"
grep -h "^worker\|^coordinator" "babelquant-$job.log" babelquant-worker-*.log
[[ $(address) == "complete 0" ]] || fail "the coordinator's last word: $(address)"
for file in "$(log "${beside[0]}")" "$(log "$requeued")" "$short_log"; do
    seen "ended with 75" "$file" || fail "$file: did not give back its units"
    seen "start 2" "$file" || fail "$file: was not started again"
done
for task in "${lost[@]}"; do seen "start 2" "$(log "$task")" || fail "worker $task was not started again"; done
if seen "start 2" "$(log "${beside[1]}")"; then fail "the cancelled worker came back"; fi
diff -r "$dir/expected/data" "$dir/out/data" || fail "data/ differs from the run without faults"
say "$(find "$dir/out/data" -type f | wc -l) files under data/ are those of the run without faults"

# --- Runs that come to nothing: the workers must say so and go

sed 's/int4-channel/int99/' "$dir/study/study.toml" >"$dir/study/wrong.toml"
wrong=$(sbatch --parsable --partition=high "$slurm/coordinator.sbatch" "$dir/study/wrong.toml" "$dir/out-wrong")
job=$(sbatch --parsable --partition=high "$slurm/coordinator.sbatch" "$dir/study/study.toml" "$dir/out-cancelled")
on_wrong=$(sbatch --parsable --array=1 "$slurm/workers.sbatch" "$wrong" "$dir/study")
workers=$(sbatch --parsable --array=1 "$slurm/workers.sbatch" "$job" "$dir/study")
within 60 "a unit of the third run is done" done_units 1
scancel "$job"
within 120 "the queue is empty" empty
grep -h "STOPPED" "babelquant-$wrong.log" "babelquant-worker-${on_wrong}_1.log" "$(log 1)"
[[ $(cat "babelquant-$wrong.address") == "stopped 2" ]] || fail "the wrong study: $(cat "babelquant-$wrong.address")"
seen "STOPPED: the coordinator ended with 2" "babelquant-worker-${on_wrong}_1.log" || fail "the worker of the wrong study"
seen "STOPPED: there is no coordinator" "$(log 1)" || fail "the worker of the cancelled coordinator"
say "PASSED"
