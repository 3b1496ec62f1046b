# Stands in for an OpenWrt SDK's package.mk: `make ROOT=… install` lays the package out below ROOT.
define BuildPackage
install:
	$(Build/Prepare)
	$(call Package/$(1)/install,$(ROOT))
endef
