// SPDX-License-Identifier: Apache-2.0

package live

import (
	"io"
	"time"

	"beltrace/collector/model"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const (
	calibrateAfter = 200              // records: the price is then good enough
	calibrateUntil = 10 * time.Second // and no longer than this: the statistics double the price of a hook
)

// meter estimates what watching costs. The kernel's statistics run only at the start, to learn the price of a record:
// the time of all programs, those that wrote nothing included, divided by the records. After that records are counted.
type meter struct {
	stats   io.Closer // nil: calibrated
	began   int64
	price   float64 // ns of BPF programs a record
	records uint64

	at          int64 // of the last estimate
	recordsThen uint64
	selfThen    int64 // ns of CPU of this process
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

// estimate is called once a second.
func (m *meter) estimate(now int64, hooks map[string]*attached) (model.Cost, bool) {
	if m.stats != nil && (m.records >= calibrateAfter || now-m.began > int64(calibrateUntil)) {
		if m.records > 0 {
			m.price = float64(runtimeOf(hooks)) / float64(m.records)
		}
		m.close()
	}
	elapsed := float64(now - m.at)
	if elapsed <= 0 {
		return model.Cost{}, false
	}
	self := selfCPU()
	cost := model.Cost{
		HooksCPU: m.price * float64(m.records-m.recordsThen) / elapsed,
		SelfCPU:  float64(self-m.selfThen) / elapsed,
	}
	m.at, m.recordsThen, m.selfThen = now, m.records, self
	return cost, m.price > 0
}

// runtimeOf adds up the time that our programs have run since statistics are on.
func runtimeOf(hooks map[string]*attached) time.Duration {
	var sum time.Duration
	for _, a := range hooks {
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
