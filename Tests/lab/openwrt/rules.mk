# Stands in for an OpenWrt SDK's rules.mk: the words that a package's Makefile uses.
INCLUDE_DIR := $(TOPDIR)
BUILD_DIR := $(STAGING)
INSTALL_DIR := install -d -m 755
INSTALL_BIN := install -m 755
INSTALL_DATA := install -m 644
CP := cp -a
