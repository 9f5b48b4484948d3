// SPDX-License-Identifier: Apache-2.0

package live

import (
	"strconv"
	"strings"

	"beltrace/bpf"
)

// syscallNames returns the names of system calls by number.
func syscallNames() []string {
	var names []string
	for word := range strings.FieldsSeq(syscallWords) {
		if at, ok := strings.CutPrefix(word, "="); ok {
			n, _ := strconv.Atoi(at)
			names = append(names, make([]string, n-len(names))...)
			continue
		}
		names = append(names, word)
	}
	return names
}

// waitName names what a thread is blocked in: a system call, or what is none.
func (d *decoder) waitName(what uint32) string {
	switch bpf.KernelThreadWait(what) {
	case bpf.KernelThreadWaitWAIT_FAULT:
		return "page_fault"
	case bpf.KernelThreadWaitWAIT_STOPPED:
		return "stopped"
	case bpf.KernelThreadWaitWAIT_THROTTLED:
		return "throttled"
	case bpf.KernelThreadWaitWAIT_WORKER:
		return "io_worker"
	case 0, bpf.KernelThreadWaitWAIT_UNKNOWN:
		return "unknown"
	case bpf.KernelThreadWaitWAIT_OTHER:
		return "other"
	}
	if n := int(what) - 1; n < len(d.calls) && d.calls[n] != "" {
		return d.calls[n]
	}
	return "syscall_" + strconv.FormatUint(uint64(what)-1, 10) // newer than this table
}
