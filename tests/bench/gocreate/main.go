// SPDX-License-Identifier: Apache-2.0

// Command gocreate creates many objects as fast as the API server takes them: the load of the operator's benches and,
// with -kind Job, their yardstick: client-go that merely creates, where the operator plans as well.
//
//	gocreate -kubeconfig FILE -namespace NS -kind Job|CarbonAwareJob -bodies FILE -count N [-workers 8]
//
// The file has one object in JSON a line; object i is made from line i modulo their number and named bench-i. The
// namespace must exist. Prints one JSON object: what was created, and how long it took from the first request to the
// last answer.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gocreate: ")
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig file")
	namespace := flag.String("namespace", "default", "namespace of the objects")
	kind := flag.String("kind", "Job", "Job or CarbonAwareJob")
	bodies := flag.String("bodies", "", "file with an object a line")
	count := flag.Int("count", 1000, "how many")
	workers := flag.Int("workers", 8, "how many at once")
	flag.Parse()

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	check(err)
	config.QPS, config.Burst = 100000, 100000
	client, err := kubernetes.NewForConfig(config)
	check(err)
	lines := readLines(*bodies)
	creators := map[string]func(int) error{
		"Job":            jobs(client, *namespace, lines),
		"CarbonAwareJob": carbonAwareJobs(client, *namespace, lines),
	}
	create, known := creators[*kind]
	if !known {
		log.Fatalf("-kind %s: must be Job or CarbonAwareJob", *kind)
	}

	var next atomic.Int64
	var group sync.WaitGroup
	began := time.Now()
	for range *workers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < *count; i = int(next.Add(1)) - 1 {
				check(create(i))
			}
		})
	}
	group.Wait()
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"created": *count,
		"began":   float64(began.UnixMicro()) / 1e6,
		"seconds": time.Since(began).Seconds(),
	}))
}

// jobs creates through the typed client, as any Go controller does.
func jobs(client *kubernetes.Clientset, namespace string, lines [][]byte) func(int) error {
	return func(i int) error {
		var job batchv1.Job
		if err := json.Unmarshal(lines[i%len(lines)], &job); err != nil {
			return err
		}
		job.Name = fmt.Sprintf("bench-%d", i)
		_, err := client.BatchV1().Jobs(namespace).Create(context.TODO(), &job, metav1.CreateOptions{})
		return err
	}
}

// carbonAwareJobs posts ready-made bytes and drops the answer: users' work, which should cost this machine little.
func carbonAwareJobs(client *kubernetes.Clientset, namespace string, lines [][]byte) func(int) error {
	path := "/apis/loadshift.io/v1alpha1/namespaces/" + namespace + "/carbonawarejobs"
	return func(i int) error {
		var object map[string]any
		if err := json.Unmarshal(lines[i%len(lines)], &object); err != nil {
			return err
		}
		object["metadata"] = map[string]any{"name": fmt.Sprintf("bench-%d", i)}
		body, err := json.Marshal(object)
		if err != nil {
			return err
		}
		return client.BatchV1().RESTClient().Post().AbsPath(path).Body(body).Do(context.TODO()).Error()
	}
}

func readLines(path string) [][]byte {
	file, err := os.Open(path)
	check(err)
	defer file.Close()
	var lines [][]byte
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		lines = append(lines, append([]byte(nil), scanner.Bytes()...))
	}
	check(scanner.Err())
	if len(lines) == 0 {
		log.Fatalf("%s is empty", path)
	}
	return lines
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
