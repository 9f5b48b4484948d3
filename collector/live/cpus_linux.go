// SPDX-License-Identifier: Apache-2.0

package live

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"beltrace/collector/event"

	"golang.org/x/sys/unix"
)

const (
	cgroups  = "/sys/fs/cgroup"
	quotaFor = int64(10e9) // ns: how long a process's quota is not read again
)

// quota is how much of the CPUs the cgroups of a process let it have; and its name, which it may change without a program
// of ours that sees it.
type quota struct {
	read  int64   // when, CLOCK_MONOTONIC
	cpus  float64 // 0: as much as there is
	limit bool
	name  string // "": it was gone already
	first string // what it was called when it began, or became another program
}

// putCPUs adds which CPUs a thread may use (its affinity, within its cpuset), and how much of them its cgroups allow.
func (s *Session) putCPUs(e *event.Event) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(int(e.TID), &set) == nil {
		e.Thread.CPUsAllowed = cpuList(&set)
		e.Set(event.FieldCPUsAllowed)
	}
	q, ok := s.threads.quotas[e.PID]
	if !ok || e.TS-q.read > quotaFor || q.first != e.Comm {
		if len(s.threads.quotas) >= batch || s.threads.quotas == nil {
			s.threads.quotas = map[uint32]quota{}
		}
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", e.PID)) // of one that is gone nothing is known
		q = quota{read: e.TS, name: s.threads.name(e.PID), first: e.Comm}
		q.cpus, q.limit = quotaOf(string(text), cgroups)
		s.threads.quotas[e.PID] = q
	}
	if q.limit {
		e.Thread.CPUQuota = q.cpus
		e.Set(event.FieldCPUQuota)
	}
	s.threads.rename(e)
}

// name reads what a process is called now.
func (r *threadReader) name(pid uint32) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // of one that is gone nothing is known
	return strings.TrimSuffix(string(text), "\n")
}

// rename gives an event the name that its process has given itself, if that was seen.
func (r *threadReader) rename(e *event.Event) {
	if q := r.quotas[e.PID]; q.name != "" && q.first == e.Comm {
		e.Comm = q.name
	}
}

// cpuList writes a set of CPUs as the kernel does: 0-3,8.
func cpuList(set *unix.CPUSet) string {
	var out []string
	for cpu, most := 0, 8*len(set)*8; cpu < most; cpu++ {
		first := cpu
		for cpu < most && set.IsSet(cpu) {
			cpu++
		}
		switch {
		case cpu == first:
		case cpu == first+1:
			out = append(out, strconv.Itoa(first))
		default:
			out = append(out, fmt.Sprintf("%d-%d", first, cpu-1))
		}
	}
	return strings.Join(out, ",")
}

// quotaOf returns the smallest CPU limit of the cgroups that the text of /proc/PID/cgroup names and of those above them, in
// CPUs; false: there is none, or they are not to be seen here.
func quotaOf(text, root string) (least float64, limited bool) {
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3) // hierarchy:controllers:path
		if len(parts) != 3 {
			continue
		}
		read, dir := cpuMax, root
		if parts[1] != "" {
			if !slices.Contains(strings.Split(parts[1], ","), "cpu") {
				continue
			}
			read, dir = cfsQuota, path.Join(root, "cpu")
		}
		for at := path.Join("/", parts[2]); ; at = path.Dir(at) {
			if q, ok := read(dir + at); ok && (!limited || q < least) {
				least, limited = q, true
			}
			if at == "/" {
				break
			}
		}
	}
	return least, limited
}

// cpuMax reads a limit of cgroup v2: quota or max, and period.
func cpuMax(dir string) (float64, bool) {
	text, err := os.ReadFile(dir + "/cpu.max")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) != 2 {
		return 0, false
	}
	return ratio(fields[0], fields[1])
}

// cfsQuota reads one of cgroup v1: a quota of -1 is none.
func cfsQuota(dir string) (float64, bool) {
	of, err1 := os.ReadFile(dir + "/cpu.cfs_quota_us")
	period, err2 := os.ReadFile(dir + "/cpu.cfs_period_us")
	if cmp.Or(err1, err2) != nil {
		return 0, false
	}
	return ratio(strings.TrimSpace(string(of)), strings.TrimSpace(string(period)))
}

func ratio(of, period string) (float64, bool) {
	n, err1 := strconv.ParseInt(of, 10, 64)
	d, err2 := strconv.ParseInt(period, 10, 64)
	return float64(n) / float64(max(d, 1)), err1 == nil && err2 == nil && n > 0 && d > 0
}
