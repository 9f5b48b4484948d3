// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// machine is how QEMU emulates an architecture.
type machine struct {
	QEMU    string
	Args    []string
	Console string
	Package string // Debian package of QEMU
}

var machines = map[string]machine{
	"amd64": {"qemu-system-x86_64", []string{"-cpu", "max,la57=off"}, "ttyS0", "qemu-system-x86"},
	"arm64": {"qemu-system-aarch64", []string{"-M", "virt", "-cpu", "cortex-a72"}, "ttyAMA0", "qemu-system-arm"},
}

// console is what a guest printed.
type console struct {
	Lines  []string
	Kernel string // its `uname -r`, from /init
	Exit   int    // from the last line, or -1 if the guest never said it
}

// boot starts a guest and waits until it powers off, or ctx ends. Every line is shown to watch as it comes.
//
// The emulation is single-threaded: with one thread per CPU, kernel 6.12 crashes when it patches its own text. Expedited
// grace periods of RCU save the guest a second of waiting for each session that is closed; without mitigations, which
// an emulated CPU does not need, it takes a sixth less of the host's, and without a fifth level of page tables (LA57) some
// more.
func boot(ctx context.Context, arch, vmlinuz, initramfs string, watch func(string)) (console, error) {
	m := machines[arch]
	args := append([]string{"-accel", "tcg,thread=single", "-smp", "2", "-m", "1536", "-nographic", "-no-reboot",
		"-nic", "none", "-kernel", vmlinuz, "-initrd", initramfs,
		"-append", "console=" + m.Console + " panic=-1 quiet rcupdate.rcu_expedited=1 mitigations=off"}, m.Args...)
	cmd := exec.CommandContext(ctx, m.QEMU, args...)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return console{}, fmt.Errorf("start %s: %w", m.QEMU, err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return console{}, fmt.Errorf("start %s (apt-get install %s): %w", m.QEMU, m.Package, err)
	}
	c := readConsole(out, watch)
	err = cmd.Wait()
	if ctx.Err() != nil {
		return c, fmt.Errorf("guest stopped: %w", context.Cause(ctx))
	}
	if err != nil {
		return c, fmt.Errorf("run %s: %w", m.QEMU, err)
	}
	return c, nil
}

// readConsole reads a guest's console to its end.
func readConsole(r io.Reader, watch func(string)) console {
	c := console{Exit: -1}
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" || err == nil {
			watch(line)
			c.add(line)
		}
		if err != nil {
			return c
		}
	}
}

func (c *console) add(line string) {
	c.Lines = append(c.Lines, line)
	word, rest, _ := strings.Cut(strings.TrimPrefix(line, "guest: "), " ")
	switch {
	case !strings.HasPrefix(line, "guest: "):
	case word == "kernel":
		c.Kernel = rest
	case word == "exit":
		if n, err := strconv.Atoi(rest); err == nil {
			c.Exit = n
		}
	}
}
