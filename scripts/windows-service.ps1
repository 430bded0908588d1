# Tries the installer and the service on a real Windows, as an administrator:
#
#   scripts\windows-service.ps1 -Installers FOLDER    with an older and a newer MSI below it
#
# It changes the machine: use one that is thrown away. Each check that fails is an error at
# the end; the rest goes on.
param([Parameter(Mandatory)][string]$Installers)
$ErrorActionPreference = 'Stop'

$older = (Get-ChildItem $Installers -Recurse -Filter '*0.9.1*.msi').FullName
$newer = (Get-ChildItem $Installers -Recurse -Filter '*0.9.2*.msi').FullName
$pombo = "$env:ProgramFiles\Pombo\pombo.exe"
$folder = "$env:ProgramData\Pombo"
$failed = @()

function Check([string]$what, [scriptblock]$so) {
    $ok = try { [bool](& $so) } catch { Write-Host $_; $false }
    Write-Host ('{0}  {1}' -f $(if ($ok) { 'ok    ' } else { 'FAILED' }), $what)
    if (-not $ok) { $script:failed += $what }
}

function Installer([string]$verb, [string]$msi, [string]$log) {
    (Start-Process msiexec -ArgumentList $verb, "`"$msi`"", '/qn', '/l*v', "`"$PWD\$log.log`"" -Wait -PassThru).ExitCode
}

function Until([scriptblock]$so, [int]$seconds = 60) {
    for ($end = (Get-Date).AddSeconds($seconds); (Get-Date) -lt $end; Start-Sleep -Milliseconds 300) { if (& $so) { return $true } }
    $false
}

function Service { Get-CimInstance Win32_Service -Filter "Name='pombo'" }
function Events([int]$id) { @(Get-WinEvent -FilterHashtable @{LogName = 'Application'; ProviderName = 'Pombo'; Id = $id} -ErrorAction SilentlyContinue).Count }
function Rights([string]$path) { (Get-Acl $path).Access.IdentityReference.Value }

# The installation.
Check 'the installer ends with 0' { (Installer '/i' $older 'install') -eq 0 }
Check 'the service has its own account' { (Service).StartName -eq 'NT SERVICE\pombo' }
Check 'it is not started' { (Service).State -eq 'Stopped' }
Check 'it starts with a delay' { (Service).DelayedAutoStart }
Check 'it is restarted after a crash' { (sc.exe qfailure pombo) -match 'RESTART' }
Check 'an end that it reports is no crash' { (sc.exe qfailureflag pombo) -match 'FALSE' }
Check 'it has one privilege' { (sc.exe qprivs pombo) -match 'SeChangeNotifyPrivilege' }
Check 'it has a SID of its own' { (sc.exe qsidtype pombo) -match 'UNRESTRICTED' }
Check 'the program says its version' { (Get-Item $pombo).VersionInfo.ProductVersion -eq '0.9.1' }
Check 'PATH has the program' { [Environment]::GetEnvironmentVariable('PATH', 'Machine') -like '*\Pombo*' }
Check 'users may not read the folder' { -not ((Rights $folder) -match 'Users|Everyone|Authenticated') }
Check 'users may not read the settings' { -not ((Rights "$folder\.env") -match 'Users|Everyone|Authenticated') }

# A wrong setting: an event, and no restart.
Set-Content "$folder\.env" 'KEYBLIP=x'
& $pombo service start
Check 'a wrong setting stops it for good' { Start-Sleep 8; (Service).State -eq 'Stopped' }
Check 'the event log has the wrong setting' { (Events 3) -eq 1 }

# Rows, with a pretend Blip in a console of its own.
$simulator = Start-Process $pombo -ArgumentList 'simulator' -PassThru -WindowStyle Hidden
Set-Content "$folder\.env" @('KEYBLIP=cG9tYm9kZW1vOm5vdC1hLXNlY3JldA==', 'BLIP_URL=http://127.0.0.1:5100', 'TEMPLATE_NAME=notificacao', 'DB_URL=sqlite:notificacoes.db', 'UNCERTAIN_WAIT=10s', 'LANGUAGE=en')
$rows = (1..200 | ForEach-Object { "('(31) 98888-$(1000 + $_)','João','seu exame está pronto')" }) -join ','
(Get-Content -Raw -Encoding utf8 deploy\sql\sqlite.sql) + "INSERT INTO NOTIFICACAO (NR_TELEFONE,NM_CONTATO,DS_MENSAGEM) VALUES $rows;" | Set-Content -Encoding utf8 rows.sql
python -c "import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.executescript(open('rows.sql',encoding='utf-8-sig').read()); d.commit()" "$folder\notificacoes.db"
& $pombo service start
Check 'the service runs' { (Service).State -eq 'Running' }
Check 'the event log says so' { (Events 1) -ge 1 }

# A crash: it comes back by itself.
$process = (Service).ProcessId
Stop-Process -Id $process -Force
Check 'it is started again after a crash' { Until { (Service).State -eq 'Running' -and (Service).ProcessId -ne $process } }

# The upgrade, while it sends.
Check 'the newer installer ends with 0' { (Installer '/i' $newer 'upgrade') -eq 0 }
Check 'the program is the newer one' { (Get-Item $pombo).VersionInfo.ProductVersion -eq '0.9.2' }
Check 'the service runs again' { Until { (Service).State -eq 'Running' } }
Check 'the older installer is refused' { (Installer '/i' $older 'downgrade') -eq 1603 }
function Blip { (Invoke-WebRequest -UseBasicParsing http://127.0.0.1:5100/sim/counts).Content | ConvertFrom-Json }
Check 'everybody has a message' { Until { (Blip).ids -eq 200 } 180 }
Check 'nobody has two' { (Blip).doubled -eq 0 }

# The end.
& $pombo service stop
Check 'it stops in order' { (Events 2) -ge 1 }
Check 'the removal ends with 0' { (Installer '/x' $newer 'remove') -eq 0 }
Check 'the service and the program have gone' { -not (Service) -and -not (Test-Path $pombo) }
Check 'settings and ledger are kept' { (Test-Path "$folder\.env") -and (Test-Path "$folder\data\pombo.db") }
Stop-Process -Id $simulator.Id -Force

if ($failed) { throw "failed: $($failed -join '; ')" }
