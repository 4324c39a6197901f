module example.com/proxy-load

go 1.21
