// Proxy-load sends requests over kept connections, each as soon as the one before was answered, for a while, and prints
// how many were answered. It does as little as it can: what is measured is between it and the server.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	address, host := os.Args[1], os.Args[2]
	connections, _ := strconv.Atoi(os.Args[3])
	ms, _ := strconv.Atoi(os.Args[4])
	request := []byte("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
	end := time.Now().Add(time.Duration(ms) * time.Millisecond)
	var answered, failed atomic.Int64
	var all sync.WaitGroup
	for range make([]struct{}, connections) {
		all.Add(1)
		go func() {
			defer all.Done()
			connection, err := net.Dial("tcp", address)
			if err != nil {
				failed.Add(1)
				return
			}
			defer connection.Close()
			reader := bufio.NewReader(connection)
			for time.Now().Before(end) {
				if _, err := connection.Write(request); err != nil {
					failed.Add(1)
					return
				}
				answer, err := http.ReadResponse(reader, nil)
				if err != nil || answer.StatusCode != 200 {
					failed.Add(1)
					return
				}
				io.Copy(io.Discard, answer.Body)
				answered.Add(1)
			}
		}()
	}
	all.Wait()
	fmt.Println(answered.Load(), failed.Load())
}
