// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// samplesPerSecond is how often the timer of each CPU fires: no divisor of what programs do by the clock.
const samplesPerSecond = 199

// timer is the clock of a CPU, which runs a program.
type timer int

// Close stops it.
func (t timer) Close() error { return unix.Close(int(t)) }

// attachTimers runs a program on each CPU that is online, by its clock.
func attachTimers(prog *ebpf.Program) (links []io.Closer, err error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count CPUs: %w", err)
	}
	for cpu := range cpus {
		attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Sample: samplesPerSecond, Bits: unix.PerfBitFreq}
		fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if errors.Is(err, unix.ENODEV) { // offline
			continue
		}
		if err != nil {
			return links, os.NewSyscallError("perf_event_open", err)
		}
		links = append(links, timer(fd))
		if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_BPF, prog.FD()); err != nil {
			return links, fmt.Errorf("run a program by the clock of CPU %d: %w", cpu, err)
		}
	}
	return links, nil
}
