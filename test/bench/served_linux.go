// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/internal/uring"
)

// served is what a load on a server counted, between two moments that all its numbers have in common.
type served struct {
	Ops      int // requests answered, operations done
	All      int // the same, with those before and after these moments; 0: not known
	Elapsed  time.Duration
	CPU      time.Duration // of server and client
	Tool     time.Duration // of the tool that watches
	Machine  time.Duration // of all processes
	P50, P99 time.Duration // 0: not measured
}

// serverLoad is a load on a server of its own, in this process's own network namespace.
type serverLoad struct {
	kind   string
	length time.Duration
	rate   float64 // requests a second; 0: as many as there can be
	tool   int     // process that watches; 0: none
}

// run starts the server, asks it and prints what was counted.
func (l serverLoad) run() error {
	if err := loopbackUp(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("/dev/shm", "beltrace-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var r served
	switch l.kind {
	case ringLoad:
		r, err = l.operate()
	case redis:
		r, err = l.withServer(dir, l.benchmark)
	default:
		r, err = l.withServer(dir, l.drive)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", l.kind, err)
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

const webConf = `user root; daemon off; worker_processes %d; pid nginx.pid; error_log stderr error;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  sendfile on; keepalive_requests 100000000; server { listen 127.0.0.1:%d; root .; } }
`

const webBytes = 1024 // of an answer's body

// serverArgs prepares the server's directory and returns its command line.
func (l serverLoad) serverArgs(dir string) ([]string, error) {
	switch l.kind {
	case nginx:
		conf := fmt.Sprintf(webConf, runtime.NumCPU(), loadPort)
		return []string{"nginx", "-p", dir, "-c", "nginx.conf"}, errors.Join(
			os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644),
			os.WriteFile(filepath.Join(dir, "bench.txt"), bytes.Repeat([]byte("."), webBytes), 0o644))
	case redis:
		return []string{"redis-server", "--port", strconv.Itoa(loadPort), "--bind", "127.0.0.1", "--save", "", "--dir", dir}, nil
	}
	self, err := os.Executable()
	return []string{self, roleHTTP}, err
}

// withServer does something while the server is there.
func (l serverLoad) withServer(dir string, do func(pids []int) (served, error)) (r served, err error) {
	argv, err := l.serverArgs(dir)
	if err != nil {
		return r, err
	}
	var words bytes.Buffer
	server := exec.Command(argv[0], argv[1:]...)
	server.Stdout, server.Stderr = &words, &words
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := server.Start(); err != nil {
		return r, err
	}
	defer func() {
		server.Process.Signal(syscall.SIGTERM)
		last := time.AfterFunc(5*time.Second, func() { server.Process.Kill() })
		server.Wait()
		last.Stop()
		if err != nil {
			err = fmt.Errorf("%w %s", err, words.Bytes())
		}
	}()
	for began := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(loadPort)))
		if err == nil {
			c.Close()
			break
		}
		if time.Since(began) > 5*time.Second {
			return r, err
		}
	}
	time.Sleep(50 * time.Millisecond) // nginx listens before it has its workers
	pids, err := family(server.Process.Pid)
	if err != nil {
		return r, err
	}
	return do(pids)
}

// family is a process and its children.
func family(pid int) ([]int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, err
	}
	pids := []int{pid}
	for _, word := range strings.Fields(string(text)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		pids = append(pids, child)
	}
	return pids, nil
}

// clocks are the CPU times that a load is charged with.
type clocks struct{ load, tool, machine time.Duration }

// read reads the clocks: of this process, of the server's, of the tool and of the machine.
func (l serverLoad) read(server []int) (c clocks, err error) {
	for _, pid := range append(server, os.Getpid()) {
		t, err := cpuOf(pid)
		if err != nil {
			return c, err
		}
		c.load += t
	}
	if l.tool != 0 {
		if c.tool, err = cpuOf(l.tool); err != nil {
			return c, err
		}
	}
	c.machine, err = machineCPU()
	return c, err
}

// charge notes what the clocks have moved by.
func (r *served) charge(before, after clocks) {
	r.CPU, r.Tool, r.Machine = after.load-before.load, after.tool-before.tool, after.machine-before.machine
}

// drive asks an HTTP server over keep-alive connections, with a thread for each core.
func (l serverLoad) drive(server []int) (r served, err error) {
	threads := runtime.NumCPU()
	steady(threads)
	var drivers []*driver
	for i := range threads {
		d, err := newDriver(clientConns / threads)
		if err != nil {
			return r, err
		}
		if l.rate > 0 {
			d.every = time.Duration(float64(threads) / l.rate * float64(time.Second))
			d.next = d.every * time.Duration(i) / time.Duration(threads)
		}
		drivers = append(drivers, d)
	}
	start := time.Now().Add(20 * time.Millisecond)
	ends := make(chan error, threads)
	for _, d := range drivers {
		go func() { ends <- d.run(start, l.length) }()
	}
	time.Sleep(time.Until(start))
	before, err := l.read(server)
	if err != nil {
		return r, err
	}
	time.Sleep(time.Until(start.Add(l.length)))
	after, err := l.read(server)
	if err != nil {
		return r, err
	}
	var took []int64
	for range drivers {
		err = errors.Join(err, <-ends)
	}
	for _, d := range drivers {
		r.Ops += d.done
		r.All += len(d.conns) + len(d.took)
		took = append(took, d.took...)
	}
	slices.Sort(took)
	r.Elapsed, r.P50, r.P99 = l.length, percentile(took, 50), percentile(took, 99)
	r.charge(before, after)
	return r, err
}

// percentile is the smallest value that so many percent are not larger than.
func percentile(sorted []int64, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return time.Duration(sorted[(len(sorted)*percent+99)/100-1])
}

// serveHTTP is the Go server.
func serveHTTP(ctx context.Context) error {
	body := bytes.Repeat([]byte("."), webBytes)
	answer := func(w http.ResponseWriter, _ *http.Request) { w.Write(body) }
	server := http.Server{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(loadPort)), Handler: http.HandlerFunc(answer)}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// redisRequests is how many a measurement of redis has before its rate is known.
const redisRequests = 100_000

// benchmark runs redis-benchmark for as many requests as there are in the time at the given rate.
func (l serverLoad) benchmark(server []int) (r served, err error) {
	r.Ops = redisRequests
	if l.rate > 0 {
		r.Ops = int(l.rate * l.length.Seconds())
	}
	cmd := exec.Command("redis-benchmark", "-p", strconv.Itoa(loadPort), "-c", strconv.Itoa(clientConns), "-n", strconv.Itoa(r.Ops), "-t", "set", "-d", "100", "--csv")
	before, err := l.read(server)
	if err != nil {
		return r, err
	}
	out, err := cmd.Output()
	if err != nil {
		return r, err
	}
	after, err := l.read(server)
	if err != nil {
		return r, err
	}
	r.charge(before, after)
	r.CPU += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return r, r.readBenchmark(out)
}

// readBenchmark reads what redis-benchmark measured itself.
func (r *served) readBenchmark(out []byte) error {
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 2 || len(rows[0]) != len(rows[1]) {
		return fmt.Errorf("redis-benchmark says %q", out)
	}
	number := func(column string) float64 {
		i := slices.Index(rows[0], column)
		if i < 0 {
			err = errors.Join(err, fmt.Errorf("redis-benchmark does not say %s", column))
			return 0
		}
		v, wrong := strconv.ParseFloat(rows[1][i], 64)
		err = errors.Join(err, wrong)
		return v
	}
	ms := float64(time.Millisecond)
	r.Elapsed = time.Duration(float64(r.Ops) / number("rps") * float64(time.Second))
	r.P50, r.P99 = time.Duration(number("p50_latency_ms")*ms), time.Duration(number("p99_latency_ms")*ms)
	return err
}

// batch is how many operations each call of the ring's load submits.
const batch = 32

// operate does operations that do nothing, as fast as there can be.
func (l serverLoad) operate() (r served, err error) {
	steady(1)
	runtime.LockOSThread()
	ring, err := uring.Open(batch, uring.Options{})
	if err != nil {
		return r, err
	}
	defer ring.Close()
	before, err := l.read(nil)
	if err != nil {
		return r, err
	}
	for start := time.Now(); r.Elapsed < l.length; r.Elapsed = time.Since(start) {
		for range batch {
			ring.Next().Nop()
		}
		if _, err := ring.Submit(batch); err != nil {
			return r, err
		}
		for c := range ring.Reap() {
			if c.Res != 0 {
				return r, fmt.Errorf("an operation failed: %w", unix.Errno(-c.Res))
			}
			r.Ops++
		}
	}
	after, err := l.read(nil)
	r.All = r.Ops
	r.charge(before, after)
	return r, err
}
