// SPDX-License-Identifier: Apache-2.0

package live

import (
	"beltrace/bpf"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf"
)

// leavesOutRuns reports whether this kernel calls tracepoints with preemption on, as since 7.0: a program is then often
// still running when another task on its CPU comes to the same place, and the kernel leaves out the second run.
func leavesOutRuns(release string) bool {
	major, _, ok := version(release)
	return ok && major >= 7
}

// furtherCopies is how many times more a program is attached on such a kernel. One was not enough: about one event in ten
// thousand found both running, on an emulated and busy CPU.
const furtherCopies = 2

// copyOf names what is attached beside a program, or nothing if it may not run again for the same event: the event would
// be written again.
func copyOf(name string) string {
	switch name {
	case "set_state", "set_state_old":
		return name + "_again"
	case "destroy_sock", "connect4_fexit", "connect6_fexit", "connect4_fentry", "connect6_fentry",
		"queued_fentry", "queue_add_fentry", "accept_fexit", "taken_fexit", "accept_fentry",
		"bytes_in_tp", "bytes_out_tp", "bytes_ready_tp", "segment_tp": // positions that have not moved say nothing new
		return name
	}
	return ""
}

// copiesOf is how many times more a program is attached: further copies on the kernels above. Of the state program there is one
// on each kernel, for a softirq that comes while it runs: the timer of a SYN that is sent again ends a handshake so.
func (s *Session) copiesOf(name string) int {
	switch again := copyOf(name); {
	case again == "":
		return 0
	case s.copies:
		return furtherCopies
	case again != name:
		return 1
	}
	return 0
}

// loadCopies loads the further copies of a hook's programs: an event is then missed only if all of them were running.
func (s *Session) loadCopies(a *attached) error {
	a.copies = make([][]*ebpf.Program, len(a.progs))
	for i, name := range a.hook.Progs {
		for range s.copiesOf(name) {
			progs, err := s.loader.load([]string{copyOf(name)})
			if err != nil {
				a.close()
				return err
			}
			a.copies[i] = append(a.copies[i], progs...)
		}
	}
	return nil
}

// missed bounds the events that no copy of their program saw.
func (s *Session) missed() uint64 {
	var sum uint64
	for name, a := range s.hooks {
		if name == probes.End || name == probes.ThreadCalls || name == probes.Running {
			continue // what is kept of the socket goes when its address is used again, and a call is no event: none is missing
		}
		saved := uint64(0)
		if name == probes.State {
			saved = s.lost(bpf.KernelLostWhereSAVED)
		}
		for i, p := range a.progs {
			var copies []uint64
			for _, further := range a.copies[i] {
				copies = append(copies, leftOut(further))
			}
			sum += unseen(leftOut(p), copies, saved)
		}
	}
	return sum
}

// unseen bounds the events that a program and its further copies did not see, from how many runs of each were left out: no
// more than of any of them. Of the state program it is known, too, how many its copies saved, but not which left-out runs
// were for sockets that nobody watches.
func unseen(program uint64, copies []uint64, saved uint64) uint64 {
	n := program - min(program, saved)
	for _, further := range copies {
		n = min(n, further)
	}
	return n
}

// leftOut asks the kernel how many runs of a program it has left out (counted since 5.12).
func leftOut(p *ebpf.Program) uint64 {
	st, err := p.Stats()
	if err != nil {
		return 0
	}
	return st.RecursionMisses
}
