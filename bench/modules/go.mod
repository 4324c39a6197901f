module modules-load

go 1.21
