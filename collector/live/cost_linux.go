// SPDX-License-Identifier: Apache-2.0

package live

import (
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"beltrace/collector/model"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const (
	calibrateAfter = 200              // records: the price is then good enough
	calibrateUntil = 10 * time.Second // and no longer than this: the statistics double the price of a hook
)

// meter estimates what watching costs. The kernel's statistics run only at the start, to learn the price of a record:
// the time of all programs, those that wrote nothing included, divided by the records. After that records are counted.
// The scheduler's programs run at every switch of the host and write next to nothing: theirs is the price of a switch,
// learnt when they are attached first; after that switches are counted, by the kernel.
type meter struct {
	stats   io.Closer // nil: calibrated
	began   int64
	priced  bool
	price   float64 // ns of BPF programs a record
	records uint64
	sched   switchMeter

	at          int64 // of the last estimate
	recordsThen uint64
	selfThen    int64 // ns of CPU of this process
}

// calibrateSwitches is how long the price of a switch is learnt for.
const calibrateSwitches = 2 * time.Second

// switchMeter knows what a switch costs.
type switchMeter struct {
	began    int64 // 0: not begun
	runtime  time.Duration
	switches uint64  // of all CPUs, when it began
	price    float64 // ns of BPF programs a switch; 0: not known
	then     uint64  // switches at the last estimate; 0: it was off
}

// startMeter begins the calibration; without the statistics the price stays unknown.
func startMeter() meter {
	m := meter{began: monotonic(), at: monotonic(), selfThen: selfCPU()}
	m.stats, _ = ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	return m
}

func (m *meter) close() {
	if m.stats != nil {
		m.stats.Close()
		m.stats = nil
	}
}

// estimate is called once a second; watching: the scheduler is.
func (m *meter) estimate(now int64, hooks map[string]*attached, watching bool) (model.Cost, bool) {
	if !m.priced && (m.records >= calibrateAfter || now-m.began > int64(calibrateUntil)) {
		if m.records > 0 {
			m.price = float64(runtimeOf(hooks, false)) / float64(m.records)
		}
		m.priced = true
	}
	perSwitch := m.switches(now, hooks, watching)
	if m.priced && (m.sched.began == 0 || m.sched.price > 0) {
		m.close()
	}
	elapsed := float64(now - m.at)
	if elapsed <= 0 {
		return model.Cost{}, false
	}
	self := selfCPU()
	cost := model.Cost{
		HooksCPU: (m.price*float64(m.records-m.recordsThen) + perSwitch) / elapsed,
		SelfCPU:  float64(self-m.selfThen) / elapsed,
	}
	m.at, m.recordsThen, m.selfThen = now, m.records, self
	return cost, m.priced && (m.price > 0 || m.sched.price > 0)
}

// switches returns the ns that the scheduler's programs took since the last estimate, as far as it is known.
func (m *meter) switches(now int64, hooks map[string]*attached, watching bool) float64 {
	s := &m.sched
	if !watching {
		s.then = 0
		return 0
	}
	n := hostSwitches()
	switch {
	case s.began == 0:
		if m.stats == nil {
			m.stats, _ = ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
		}
		s.began, s.runtime, s.switches = now, runtimeOf(hooks, true), n
	case s.price == 0 && now-s.began >= int64(calibrateSwitches) && n > s.switches:
		s.price = float64(runtimeOf(hooks, true)-s.runtime) / float64(n-s.switches)
	}
	then := s.then
	s.then = n
	if then == 0 {
		return 0
	}
	return s.price * float64(n-then)
}

// hostSwitches is how often all CPUs have switched between threads so far; 0 if it cannot be read.
func hostSwitches() uint64 {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "ctxt "); ok {
			v, _ := strconv.ParseUint(strings.TrimSpace(n), 10, 64)
			return v
		}
	}
	return 0
}

// runtimeOf adds up the time that our programs have run while statistics were on: those of the scheduler, or all others.
func runtimeOf(hooks map[string]*attached, sched bool) time.Duration {
	var sum time.Duration
	for _, a := range hooks {
		if sched != (a.set == probes.Sched) {
			continue
		}
		for _, p := range a.progs {
			if st, err := p.Stats(); err == nil {
				sum += st.Runtime
			}
		}
	}
	return sum
}

// selfCPU is the CPU time of this process, user and kernel, in ns.
func selfCPU() int64 {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return ru.Utime.Nano() + ru.Stime.Nano()
}
