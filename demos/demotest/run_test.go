// SPDX-License-Identifier: Apache-2.0

package demotest

import (
	"context"
	"io"
	"log"
	"math"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"beltrace/demos"
	"beltrace/demos/demo"
)

// run is one demo, its server and clients in this process.
type run struct {
	d     demo.Demo
	addr  chan string
	ended chan error // of the server
	stop  context.CancelFunc

	mu    sync.Mutex
	steps []int
	notes map[string]float64
}

// workerName is the environment variable that makes this program a process of a demo's server.
const workerName = "BELTRACE_TEST_DEMO_WORKER"

// workerOf returns a command that runs a demo's Worker.
func workerOf(name string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe)
	cmd.Env, cmd.Stderr = append(os.Environ(), workerName+"="+name), os.Stderr
	return cmd, nil
}

// TestMain runs the tests, or a process of a demo's server that a test has started.
func TestMain(m *testing.M) {
	name := os.Getenv(workerName)
	if name == "" {
		os.Exit(m.Run())
	}
	i := slices.IndexFunc(demos.All(), func(d demo.Demo) bool { return d.Name == name })
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if err := demos.All()[i].Worker(ctx, &demo.Env{Log: log.Default()}, os.NewFile(3, "listener")); err != nil {
		log.Fatal(err)
	}
}

func listeners(ctx context.Context, n int) ([]*net.TCPListener, error) {
	if n > 1 {
		return demo.ListenShared(ctx, "127.0.0.1:0", n)
	}
	ln, err := demo.Listen(ctx, "127.0.0.1:0", 0)
	return []*net.TCPListener{ln}, err
}

// possible skips a test of a demo that this system cannot run.
func possible(t *testing.T, d *demo.Demo) {
	t.Helper()
	if d.Missing == nil {
		return
	}
	if err := d.Missing(); err != nil {
		t.Skipf("cannot run here: %v", err)
	}
}

// start starts the server and waits until it listens.
func start(t *testing.T, d demo.Demo) (*run, string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &run{d: d, addr: make(chan string, 1), ended: make(chan error, 1), stop: stop, notes: map[string]float64{}}
	go func() { r.ended <- d.Server(ctx, r.env(t, "")) }()
	t.Cleanup(stop)
	select {
	case addr := <-r.addr:
		return r, addr
	case err := <-r.ended:
		t.Fatalf("server ended before it listened: %v", err)
	case <-time.After(5 * time.Second):
		t.Fatal("server does not listen")
	}
	return nil, ""
}

func (r *run) env(t *testing.T, addr string) *demo.Env {
	return &demo.Env{
		Listen: func(ctx context.Context, backlog int) (*net.TCPListener, error) {
			ln, err := demo.Listen(ctx, "127.0.0.1:0", backlog)
			if err == nil {
				r.addr <- ln.Addr().String()
			}
			return ln, err
		},
		Open:     listeners,
		Announce: func(addr net.Addr) { r.addr <- addr.String() },
		Self:     func() (*exec.Cmd, error) { return workerOf(r.d.Name) },
		Addr:     addr,
		Step: func(n int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.steps = append(r.steps, n)
		},
		Note: func(name string, value float64) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.notes[name] = value
		},
		Sysctl: func(string, string) error { return nil }, // as if it had been set: nothing of the machine is touched
		Log:    log.New(t.Output(), "", 0),
	}
}

// end stops the server and waits for it.
func (r *run) end(t *testing.T) {
	t.Helper()
	r.stop()
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("server: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("server does not stop")
	}
}

var noteName = regexp.MustCompile(`^[a-z0-9_.:\[\]]+$`)

// TestRun runs each demo twice against one server, as the key r does.
func TestRun(t *testing.T) {
	for _, d := range demos.All() {
		t.Run(d.Name, func(t *testing.T) {
			possible(t, &d)
			noLeaks(t)
			r, addr := start(t, d)
			for range 2 {
				r.steps = nil
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), demo.Timeout)
				if err := d.Client(ctx, r.env(t, addr)); err != nil {
					t.Fatalf("client: %v", err)
				}
				cancel()
				t.Logf("client took %v", time.Since(begin))
				r.checkSteps(t)
			}
			r.end(t)
			for name, v := range r.notes {
				if !noteName.MatchString(name) || math.IsNaN(v) || math.IsInf(v, 0) {
					t.Errorf("note %q = %v", name, v)
				}
			}
			if c, err := net.Dial("tcp", addr); err == nil {
				c.Close()
				t.Error("the server still listens after its end")
			}
		})
	}
}

// checkSteps wants every step of the lesson, once, in order.
func (r *run) checkSteps(t *testing.T) {
	t.Helper()
	var want []int
	for i := range r.d.Lesson.Steps {
		want = append(want, i)
	}
	if !slices.Equal(r.steps, want) {
		t.Errorf("client made steps %v, want %v", r.steps, want)
	}
}

// TestStopInMidRun ends everything while the client is at work.
func TestStopInMidRun(t *testing.T) {
	for _, d := range demos.All() {
		t.Run(d.Name, func(t *testing.T) {
			possible(t, &d)
			noLeaks(t)
			r, addr := start(t, d)
			ctx, cancel := context.WithCancel(t.Context())
			env, begun := r.env(t, addr), make(chan struct{})
			env.Step = func(n int) {
				if n == 0 {
					close(begun)
				}
			}
			ended := make(chan error, 1)
			go func() { ended <- d.Client(ctx, env) }()
			<-begun
			cancel()
			select {
			case <-ended: // nil when it was quick, else the context's error
			case <-time.After(5 * time.Second):
				t.Error("client does not stop")
			}
			r.end(t)
		})
	}
}

// TestServerOfNobody fails to listen: the server says so instead of serving.
func TestServerOfNobody(t *testing.T) {
	taken, err := demo.Listen(t.Context(), "127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, d := range demos.All() {
		env := (&run{}).env(t, "")
		env.Listen = func(ctx context.Context, backlog int) (*net.TCPListener, error) {
			return demo.Listen(ctx, taken.Addr().String(), backlog)
		}
		env.Open = func(ctx context.Context, n int) ([]*net.TCPListener, error) {
			if n > 1 {
				return demo.ListenShared(ctx, taken.Addr().String(), n)
			}
			_, err := demo.Listen(ctx, taken.Addr().String(), 0)
			return nil, err
		}
		if err := d.Server(t.Context(), env); err == nil {
			t.Errorf("%s: no error although its port is in use", d.Name)
		}
	}
}
