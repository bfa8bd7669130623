# What an installation brings besides the programs.
dist_man_MANS += packaging/rollcall.1 packaging/rollcall.yaml.5 packaging/rollcalld.8
EXTRA_DIST += haproxy/haproxy.cfg haproxy/rollcall-spoe.cfg haproxy/tracing.cfg haproxy/rollcall.yaml haproxy/demo haproxy/demo.py \
	packaging/install-deps packaging/build \
	packaging/build-deb packaging/debian packaging/container packaging/ecs %D%/systemd/rollcalld.service.in %D%/systemd/rollcall-init.service.in \
	%D%/systemd/haproxy-rollcall.conf %D%/systemd/rollcall.sysusers %D%/systemd/rollcall.tmpfiles

# Samples, for whoever begins.
exampledir = $(docdir)/examples
dist_example_DATA = haproxy/haproxy.cfg haproxy/rollcall-spoe.cfg haproxy/tracing.cfg haproxy/rollcall.yaml packaging/systemd/haproxy-rollcall.conf \
	packaging/aws/events.yaml
dist_doc_DATA = README.md NEWS
# Where README.md looks for them; all that there are (EXTRA_DIST has the directory).
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(docdir)/docs' && $(INSTALL_DATA) $(srcdir)/docs/* '$(DESTDIR)$(docdir)/docs'
uninstall-local:
	rm -rf '$(DESTDIR)$(docdir)/docs'

# The units name the programs where they are installed, which configure does not know yet.
units = %D%/systemd/rollcalld.service %D%/systemd/rollcall-init.service
CLEANFILES += $(units)
all-local: $(units)
%D%/systemd/rollcalld.service: %D%/systemd/rollcalld.service.in Makefile
%D%/systemd/rollcall-init.service: %D%/systemd/rollcall-init.service.in Makefile
$(units):
	$(AM_V_GEN)$(MKDIR_P) %D%/systemd && sed -e 's,@sbindir\@,$(sbindir),' -e 's,@bindir\@,$(bindir),' \
		$(srcdir)/$@.in >$@.new && mv $@.new $@
if SYSTEMD
systemdsystemunit_DATA = $(units)
endif

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = packaging/completions/rollcall
